# make extension [PLATFORM=linux-x64|windows-x64|macos-arm64] [PYTAG=cp311|cp313]; make extensions builds all of them
PLATFORM ?= linux-x64
PYTAG    ?= cp311

.PHONY: extension extensions lock

extension: $(STAMP) $(BPY_STAMP)
	$(BIN)/python wheels/build.py --platform $(PLATFORM) --python $(PYTAG) --blender $(BPY_VENV)/bin/python

extensions: $(STAMP) $(BPY_STAMP)
	$(BIN)/python wheels/build.py --all --blender $(BPY_VENV)/bin/python

# After a change of wheels/packages.toml
lock: $(STAMP)
	$(BIN)/python wheels/lock.py

# The suite of `make blender` with Blender 5.0 and 4.2 as a module
.PHONY: test-blender-5 test-blender-4.2 test-blender-gui
test-blender-5:
	$(MAKE) blender BPY=5.0.1 BPY_VENV=.venv-bpy5

test-blender-4.2:
	$(MAKE) blender BPY=4.2.23 BPY_VENV=.venv-bpy42

# Debian's Blender 4.3 and 5.2, with the zip installed, whose Python has no torch: the suite, and a lift by mouse in a window (root only)
test-blender-gui: $(STAMP) $(BPY_STAMP)
	$(MAKE) extension PYTAG=cp313
	$(MAKE) extension PYTAG=cp314
	for suite in trixie sid; do \
		tools/blender_chroot.sh make $$suite && tools/blender_chroot.sh tests $$suite \
		&& tools/blender_chroot.sh command $$suite \
		&& tools/blender_chroot.sh gui $$suite out/gui-$$suite || exit 1; \
	done
