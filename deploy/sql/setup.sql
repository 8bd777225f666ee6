-- Once for a catalog, by who may create one. Put the volumes where the landing files come to, and the models where you keep such things.
CREATE CATALOG IF NOT EXISTS churnlake;
CREATE SCHEMA IF NOT EXISTS churnlake.ops COMMENT 'Landing files, pages, reports, logs and models'' files.';
CREATE SCHEMA IF NOT EXISTS churnlake.models COMMENT 'Registered models, by alias champion and challenger.';
CREATE VOLUME IF NOT EXISTS churnlake.ops.landing COMMENT 'The operator''s files: <feed>/date=YYYY-MM-DD/.';
CREATE VOLUME IF NOT EXISTS churnlake.ops.kept COMMENT 'What the workflows leave: site, quality, champions, logs.';
CREATE VOLUME IF NOT EXISTS churnlake.ops.models COMMENT 'Files of models, and what passes between Spark and MLflow.';
