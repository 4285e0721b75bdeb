import pathlib

PurePath = pathlib.PurePath
PurePosixPath = pathlib.PurePosixPath
PureWindowsPath = pathlib.PureWindowsPath
Path = pathlib.Path
PosixPath = pathlib.PosixPath
WindowsPath = pathlib.WindowsPath
