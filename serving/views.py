"""The answers in a store as tables, for whoever reads it with SQL: a view for each kind of answer.

`remaining_life` has a row for each estimate, `forecasts` one for each reading that is foretold,
`outlier_stages` one for each detector and channel, `fault_diagnoses` one for each fault.
"""

# Made where they are not there yet, so that a store made before a view existed gets it too.
VIEWS = """
CREATE VIEW IF NOT EXISTS remaining_life AS SELECT
    asset, model, version, sequence, window_end,
    estimate ->> '$.answer.life_fraction' AS life_fraction,
    estimate ->> '$.answer.age_s' AS age_s,
    estimate ->> '$.answer.rul_s' AS rul_s,
    estimate ->> '$.answer.rul_low_s' AS rul_low_s,
    estimate ->> '$.answer.rul_high_s' AS rul_high_s,
    estimate ->> '$.answer.band' AS band,
    estimate ->> '$.answer.alarm' AS alarm
FROM estimates WHERE estimate ->> '$.answer.type' = 'RemainingLife';
CREATE VIEW IF NOT EXISTS forecasts AS SELECT
    asset, model, version, sequence, window_end,
    point.value ->> '$.channel' AS channel,
    point.value ->> '$.unit' AS unit,
    point.value ->> '$.horizon_s' AS horizon_s,
    quantile.value ->> 0 AS quantile,
    quantile.value ->> 1 AS value
FROM estimates, json_each(estimate, '$.answer.points') AS point,
    json_each(point.value, '$.values') AS quantile
WHERE estimate ->> '$.answer.type' = 'Forecast';
CREATE VIEW IF NOT EXISTS outlier_stages AS SELECT
    asset, model, version, sequence, window_end,
    item.value ->> '$.detector' AS detector,
    item.value ->> '$.channel' AS channel,
    item.value ->> '$.unit' AS unit,
    item.value ->> '$.stage' AS stage,
    item.value ->> '$.percentile' AS percentile,
    item.value ->> '$.value' AS value,
    item.value ->> '$.cause' AS cause
FROM estimates, json_each(estimate, '$.answer.stages') AS item
WHERE estimate ->> '$.answer.type' = 'Outlier';
CREATE VIEW IF NOT EXISTS fault_diagnoses AS SELECT
    asset, model, version, sequence, window_end,
    estimate ->> '$.answer.diagnosis' AS diagnosis,
    estimate ->> '$.answer.unknown' AS unknown,
    estimate ->> '$.answer.novelty' AS novelty,
    item.value ->> 0 AS fault,
    item.value ->> 1 AS probability
FROM estimates, json_each(estimate, '$.answer.probabilities') AS item
WHERE estimate ->> '$.answer.type' = 'FaultDiagnosis';
"""
