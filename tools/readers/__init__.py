"""Readers of exported files that have nothing of Blender: three.js, assimp, usd-core, Khronos' validator, our own."""
