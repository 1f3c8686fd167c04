"""What library functions compute, in gradgen's own input language: read as text, never run.

A definition has the signature of the function it defines and is differentiated in its place; the
call itself stays as the user wrote it. A function of `adjoints_...` modules computes the adjoints
of a call's operands from `g`, the adjoint of the result, `out`, the result, and the arguments.
"""
