"""The client library and the command line.

from wearcast.clients import Client

with Client("127.0.0.1:8561") as client:
    for estimate in client.predict(blocks, model="bearing-rul"):
        print(estimate.remaining_life.rul_s)
"""

from wearcast.clients.client import DEFAULT_ADDRESS, Client, ClientSettings
from wearcast.clients.decode import Acknowledged, Notice
from wearcast.clients.source import Source

__all__ = ["DEFAULT_ADDRESS", "Acknowledged", "Client", "ClientSettings", "Notice", "Source"]
