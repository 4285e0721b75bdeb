import random

SystemRandom = random.SystemRandom
