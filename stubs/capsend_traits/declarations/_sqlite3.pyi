import sqlite3

Connection = sqlite3.Connection
Cursor = sqlite3.Cursor
Row = sqlite3.Row
Blob = sqlite3.Blob
PrepareProtocol = sqlite3.PrepareProtocol
