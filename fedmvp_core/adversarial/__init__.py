"""L-infinity attacks on pixels in [0, 1], for training and for evaluation.

Each attack sees the model as a function from images to logits, so a defence whose prompts depend on
the image is attacked through them. Two kinds of problem, told apart by the labels' shape:
single-label (batch,) int64 and multi-label (batch, classes) of 0 and 1, where a label is predicted
when its logit is above 0.

This package imports nothing here: the configuration reads `adversarial.epsilon` without torch.
"""
