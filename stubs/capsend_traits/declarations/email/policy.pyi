from capsend_traits.marks import Never

class EmailPolicy(Never):
    """it is tied to functions of the email package; write email.policy.default, or the policy that you need, inside the process"""
