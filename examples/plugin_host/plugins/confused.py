"""A plug-in that passes invalid arguments to a host function."""


def main():
    answers = []
    for arguments in [(), ("tea", "three"), ("tea", 10**9)]:
        try:
            answers.append(order(*arguments))
        except (TypeError, ValueError) as error:
            answers.append(type(error).__name__)
    return answers
