# make extension FLAVOUR=light|cpu|cuda [PLATFORM=linux-x64|windows-x64|macos-arm64] [PYTAG=cp311|cp313]
FLAVOUR  ?= light
PLATFORM ?= linux-x64
PYTAG    ?= cp311

.PHONY: extension lock

extension: $(STAMP) $(BPY_STAMP)
	$(BIN)/python wheels/build.py $(FLAVOUR) --platform $(PLATFORM) --python $(PYTAG) --blender $(BPY_VENV)/bin/python

# After a change of wheels/packages.toml
lock: $(STAMP)
	$(BIN)/python wheels/lock.py
