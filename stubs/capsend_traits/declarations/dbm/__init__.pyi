import dbm.dumb

_Database = dbm.dumb._Database
