import decimal

Decimal = decimal.Decimal
Context = decimal.Context
