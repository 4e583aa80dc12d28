#!/usr/bin/env bash
# Makes the bundled models of flow and pressure anew, from nothing, into the folder given.
#
#     bash benchmarks/bundle.sh /tmp/models
#
# The same code and seed give the same weights. The other two are made of real recordings:
#     wearcast train rul --data pronostia --out bearing-rul.pth
#     wearcast train fault --data cwru --bearing 9:7.94:39.04 --by size --out bearing-fault.pth
set -euo pipefail
out=$1
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
note="a simulated water district, wearcast simulate flow --seed 0; not a real plant"
units=(--unit flow_rate=m3/h --unit pressure=bar --note "$note")

wearcast simulate flow --out "$work" --name simulated-plant --seed 0
wearcast train forecast --data "$work/simulated-plant.csv" --target flow_rate --target pressure \
    "${units[@]}" --out "$work/flow-forecast.pth"
wearcast train outlier --data "$work/simulated-plant.csv" --channel flow_rate --channel pressure \
    --range flow_rate=0:200 --range pressure=0:10 "${units[@]}" --out "$work/flow-outlier.pth"
for name in flow-forecast flow-outlier; do
    wearcast export "$work/$name.pth" --name "$name" --out "$out" --batch 1 --batch 32
done
