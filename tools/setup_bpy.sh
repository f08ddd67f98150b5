#!/bin/sh
# A virtual environment with Blender as a Python module and the engine in the same interpreter.
# usage: tools/setup_bpy.sh VENV [BLENDER_VERSION [TORCH [PYTHON]]]
set -eu
venv=$1 blender=${2:-4.5.15} torch=${3:-torch==2.13.0} python=${4:-python3.11}

# shared libraries that the module links (first line), and that headless rendering opens (second line)
libraries="libx11-6 libxrender1 libxfixes3 libxi6 libxkbcommon0 libsm6 libice6 libxext6 libgl1
libegl1 libgl1-mesa-dri"
if command -v dpkg-query >/dev/null; then
    missing=""
    for library in $libraries; do
        dpkg-query -W -f='${Status}' "$library" 2>/dev/null | grep -q 'ok installed' || missing="$missing $library"
    done
    if [ -n "$missing" ]; then
        if [ "$(id -u)" != 0 ]; then
            echo "Blender needs these packages; install them first: apt-get install$missing" >&2
            exit 1
        fi
        apt-get update -qq
        # shellcheck disable=SC2086
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
    fi
fi

test -x "$venv/bin/python" || "$python" -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --upgrade pip
# Blender 4.2 to 5.0 are built against numpy 1
"$venv/bin/python" -m pip install --quiet "bpy==$blender" "numpy>=1.26,<2" "$torch" "pytest>=8" "scipy>=1.11" --editable ".[video]"
"$venv/bin/python" -c "import bpy, torch; print('Blender', bpy.app.version_string, 'torch', torch.__version__)"
