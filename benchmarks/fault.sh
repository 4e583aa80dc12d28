#!/usr/bin/env bash
# Figures of fault diagnosis and of the gear forecaster, into benchmarks/results/.
#
#     bash benchmarks/fault.sh DIR_OF_CWRU
#
# CWRU's recordings are real; rotors and gears are simulated here, and their tables say so. It takes
# about an hour on two cores. Epochs are capped, as they would go on for hours: the models of one
# instant after 20, the gear forecaster after 8.
set -euo pipefail
cwru=$1
results=$(cd "$(dirname "$0")" && pwd)/results
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
export OMP_NUM_THREADS=1
keep() { cp "$work/$1/table.md" "$results/$2.md"; }

wearcast evaluate fault --data "$cwru" --hold-out size --bearing 9:7.94:39.04 --leaky \
    --out "$work/size"
keep size fault-cwru-size
wearcast evaluate fault --data "$cwru" --hold-out size --bearing 9:7.94:39.04 --model spectral \
    --look bands --look orders --look modulation --look envelope \
    --note "all four groups of features" --out "$work/all"
keep all fault-cwru-size-all
wearcast evaluate fault --data "$cwru" --hold-out speed --bearing 9:7.94:39.04 --out "$work/speed"
keep speed fault-cwru-speed

for seed in 1 2 3 4 5 6; do
    wearcast simulate rotor --out "$work/six" --unit "U$seed" --seed "$seed"
done
wearcast evaluate fault --data "$work/six" --hold-out unit --shaft-rpm 1755 \
    --note "simulated rotors of six units (seeds 1 to 6)" --out "$work/rotor6"
keep rotor6 fault-rotor-six
wearcast simulate rotor --out "$work/two" --unit A --seed 1
wearcast simulate rotor --out "$work/two" --unit B --seed 2
wearcast evaluate fault --data "$work/two" --hold-out unit --shaft-rpm 1755 --linear \
    --model spectral --model dnn --model cnn --model rnn --model "random forest" --epochs 20 \
    --note "simulated rotors of units A (seed 1) and B (seed 2), linear resampling" \
    --out "$work/rotor"
keep rotor fault-rotor

wearcast simulate gear --out "$work" --name rig --seed 11
wearcast evaluate gear --data "$work/rig" --note simulated --out "$results/gear-tasks.md"
wearcast evaluate forecast --data "$work/rig/no_fault.csv" --model gear-lstm --epochs 8 \
    --note simulated --out "$work/gear"
keep gear gear-forecast
