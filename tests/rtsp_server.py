"""An RTSP server of GStreamer that repeats a folder of JPEG frames as H.264, for the tests of cameras.

It runs under the system's Python, which has GStreamer's bindings:
``/usr/bin/python3 rtsp_server.py FOLDER PORT [USER PASSWORD [digest]]``. It prints ``ready`` when it listens.
"""

import sys
from pathlib import Path

import gi  # type: ignore[import-not-found]

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # type: ignore[import-not-found]  # noqa: E402

RATE = 20


def main(folder: str, port: str, *credentials: str) -> None:
    Gst.init(None)
    last = len(list(Path(folder).glob("*.jpg"))) - 1
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(
        f"( multifilesrc location={folder}/%05d.jpg start-index=0 stop-index={last} loop=true "
        f"caps=image/jpeg,framerate={RATE}/1 ! jpegdec ! videoconvert ! identity sync=true "
        "! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=20 bitrate=4000 "
        "! video/x-h264,profile=baseline ! rtph264pay name=pay0 config-interval=1 )"
    )
    factory.set_shared(True)
    server = GstRtspServer.RTSPServer()
    server.set_service(port)
    if credentials:
        _protect(server, factory, *credentials)
    server.get_mount_points().add_factory("/stream", factory)
    server.attach(None)
    print("ready", flush=True)
    GLib.MainLoop().run()


def _protect(server: object, factory: object, user: str, password: str, way: str = "basic") -> None:
    auth = GstRtspServer.RTSPAuth()
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    if way == "digest":
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        auth.add_digest(user, password, token)
    else:
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    server.set_auth(auth)  # type: ignore[attr-defined]
    rights = Gst.Structure.new_from_string(
        "viewer, media.factory.access=(boolean)true, media.factory.construct=(boolean)true"
    )
    factory.add_role_from_structure(rights)  # type: ignore[attr-defined]


if __name__ == "__main__":
    main(*sys.argv[1:])
