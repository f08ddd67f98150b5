# MVLift for Blender. `make lift` lifts the bundled example; `make test` runs every check. Both set everything up first.
PYTHON ?= python3.11
TORCH  ?= torch==2.13.0
EXTRAS ?= preview,train,bodies,smpl,video,camera,cluster,dev
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.ready
# Processes of the test suite
JOBS   ?= $(shell nproc 2>/dev/null || echo 2)
# Blender as a module has an environment of its own: it is bound to numpy 1
BPY       ?= 4.5.15
BPY_VENV  := .venv-bpy
BPY_STAMP := $(BPY_VENV)/.ready-$(BPY)

.PHONY: setup test lint types types-blender unit blender lift train-demo bench fuzz docs docs-check clean

setup: $(STAMP)

$(STAMP): pyproject.toml core/mvlift/detection/models.toml
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is missing: apt-get install python3.11 python3.11-venv"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet "$(TORCH)"
	$(BIN)/python -m pip install --quiet --editable ".[$(EXTRAS)]" "$(TORCH)"
	$(BIN)/python wheels/models.py
	touch $@

$(BPY_STAMP): pyproject.toml tools/setup_bpy.sh
	tools/setup_bpy.sh $(BPY_VENV) $(BPY) "$(TORCH)" $(PYTHON)
	touch $@

test: lint types unit blender

lint: $(STAMP)
	$(BIN)/codespell
	$(BIN)/ruff check .
	$(BIN)/ruff format --check core training mvlift_blender tests tools examples

types: types-blender
	$(BIN)/mypy core/mvlift training/mvlift_training

# The extension, with stubs of Blender's API; its arithmetic is checked as strictly as the engine
types-blender: $(STAMP)
	$(BIN)/mypy mvlift_blender

# Every test outside Blender, on all cores with one thread each; out/coverage.txt says which lines they reach
unit: $(STAMP)
	mkdir -p out
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests -n $(JOBS) --dist loadfile --cov --cov-report=
	$(BIN)/coverage report > out/coverage.txt && tail -n 1 out/coverage.txt

# What runs inside Blender, against Blender as a module
blender: $(BPY_STAMP)
	$(BPY_VENV)/bin/python -m pytest tests/blender

# The bundled video, lifted: out/video.npz .bvh .blend, pictures out/video.png video-blender.png, skeletons over the frames
# out/video.mp4; and the bundled keypoint files: out/walk.npz .bvh .blend, pictures out/walk.png walk-blender.png
lift: $(STAMP) $(BPY_STAMP)
	mkdir -p out
	$(BIN)/mvlift detect examples/walk.mp4 -o out/video-keypoints.npz --preview out/video.mp4
	$(BIN)/mvlift lift examples/walk.mp4 -o out/video.npz out/video.bvh out/video.png out/video.blend \
		--blender $(BPY_VENV)/bin/python
	$(BPY_VENV)/bin/python -m mvlift_blender.headless write out/video.npz -o out/video-blender.png >/dev/null
	$(BIN)/mvlift lift examples/walk.zip -o out/walk.npz out/walk.bvh out/walk.png out/walk.blend \
		--fps 30 --image-size 1280x720 --blender $(BPY_VENV)/bin/python
	$(BPY_VENV)/bin/python -m mvlift_blender.headless write out/walk.npz -o out/walk-blender.png >/dev/null

# All four stages, tiny, on footage of our own making, and a lift with the weights that come out
train-demo: $(STAMP)
	$(BIN)/python examples/make_footage.py runs/demo/footage
	$(BIN)/mvlift-train prepare runs/demo/footage --output runs/demo/footage.npz --fps 30 --width 1280 --height 720
	$(BIN)/mvlift-train all --config training/mvlift_training/configs/demo.yaml
	$(BIN)/mvlift lift examples/walk.zip -o runs/demo/walk.npz runs/demo/walk.png --fps 30 --image-size 1280x720 \
		--weights runs/demo/run/export/demo-stage4.safetensors

bench: $(STAMP)
	$(BIN)/python tools/bench.py $(PARTS)

# Damaged keypoint files for the readers; goes on where it was stopped (Ctrl-C). INPUTS and SEED may be given
fuzz: $(STAMP)
	mkdir -p out
	$(BIN)/python -W ignore tests/fuzz_readers.py --inputs $(or $(INPUTS),1000000) --seed $(or $(SEED),0) \
		--state out/fuzz-$(or $(SEED),0).json --keep out/fuzz-failures

# The site: out/site/index.html, searchable, made without a network
docs: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

# Links and anchors of every page, and every fenced command that is not marked as one for a GPU, a window or a night
docs-check: $(STAMP) $(BPY_STAMP)
	$(BIN)/python tools/docs_check.py

clean:
	rm -rf $(VENV) $(BPY_VENV) out dist build

-include wheels/extension.mk
