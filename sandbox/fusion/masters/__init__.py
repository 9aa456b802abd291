"""Items, parties and customer accounts of the simulated pod."""
