"""INT8 beside whole precision: time and error of layers and of models.

    python benchmarks/int8.py --write

Models: the LSTM of benchmarks/serving, the gear forecaster fitted to a simulated gear, a CNN-LSTM
with random weights, and every bundled model. One thread; the best of several passes in turns.
"""

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from serving.lstm_model import CHANNELS, WINDOW, Lstm, make_contract

import wearcast
from wearcast.export.graph import quiet_exporter, write_onnx
from wearcast.export.int8 import Comparison, Int8
from wearcast.export.model_folder import export_checkpoint
from wearcast.export.parity import run_onnx
from wearcast.export.quantize import LEAST_DENSE, LEAST_RECURRENT, quantize
from wearcast.signals.errors import ArtefactError
from wearcast.signals.golden import Golden, golden_input
from wearcast.signals.contract import LIFE_FRACTION, RulCalibration
from wearcast.signals.simulation.gear import Gear, simulate_gear
from wearcast.training.checkpoint import Checkpoint, save_checkpoint
from wearcast.training.forecast.gear_train import train_gear
from wearcast.training.rul.cnn_lstm import CnnLstm, CnnLstmConfig
