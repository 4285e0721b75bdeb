import zipfile

Path = zipfile.Path
