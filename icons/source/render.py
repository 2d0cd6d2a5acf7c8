"""Draws icons/*.png and icons/tray/*.png from the SVGs beside this file.

    /usr/bin/python3 icons/source/render.py     (python3-gi, librsvg2-common)
"""

from pathlib import Path

import gi

gi.require_version("GdkPixbuf", "2.0")
from gi.repository import GdkPixbuf  # noqa: E402

SOURCE = Path(__file__).parent
ICONS = SOURCE.parent

# The names by which Tauri's bundler knows their size.
APP = {
    "32x32.png": 32,
    "64x64.png": 64,
    "128x128.png": 128,
    "128x128@2x.png": 256,
    "icon.png": 512,
}
TRAY = ["calm", "working", "needs-you", "trouble"]


def draw(svg, png, size):
    picture = GdkPixbuf.Pixbuf.new_from_file_at_scale(str(svg), size, size, True)
    picture.savev(str(png), "png", [], [])


for name, size in APP.items():
    draw(SOURCE / "app.svg", ICONS / name, size)
for mood in TRAY:
    # Twice the usual 22 px, for dense displays.
    draw(SOURCE / f"tray-{mood}.svg", ICONS / "tray" / f"{mood}.png", 44)
