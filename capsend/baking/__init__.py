"""How an image is made: what goes into it, the snapshot, and what is done to it so that processes start fast."""
