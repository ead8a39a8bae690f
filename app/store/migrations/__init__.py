"""The steps from each schema to the next, frozen in time: a step never imports the tables of today."""
