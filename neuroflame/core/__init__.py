"""The batched network on torch: operators, inputs, executors, recording, statistics."""
