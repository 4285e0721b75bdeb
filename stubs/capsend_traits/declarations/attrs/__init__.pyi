import attr._make

NothingType = attr._make._Nothing
