"""`inglenook models`: the models on this computer and on the Hub; one file per verb."""
