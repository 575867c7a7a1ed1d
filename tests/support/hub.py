"""A stand-in for the Hugging Face Hub: one repository, on this machine."""

import base64
import contextlib
import hashlib
import http.server
import json
import re
import threading
import urllib.parse


class Hub:
    """Repositories in memory, and the requests that were made.

    Attributes:
        commits: dict from "owner/name" to a list of dicts, files by name; the
            last is `main`.
        requests: list of "METHOD path".
    """

    def __init__(self):
        self.commits = {}
        self.requests = []
        self.address = ""

    def commit_id(self, repo, index=-1):
        index = range(len(self.commits[repo]))[index]
        return hashlib.sha1(f"{repo} {index}".encode()).hexdigest()

    def files(self, repo, revision="main"):
        commits = self.commits[repo]
        for index in range(len(commits)):
            if revision == self.commit_id(repo, index):
                return commits[index], revision
        if revision == "main":
            return commits[-1], self.commit_id(repo)
        raise KeyError(revision)

    def upload(self, repo, lines):
        """A commit, as lines of JSON."""
        files = dict(self.commits[repo][-1]) if self.commits[repo] else {}
        for line in lines:
            operation = json.loads(line)
            if operation["key"] == "file":
                value = operation["value"]
                files[value["path"]] = base64.b64decode(value["content"])
        self.commits[repo].append(files)


def _handler(hub):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args):
            pass

        def _answer(self, code, value=b"", headers=()):
            if not isinstance(value, bytes):
                value = json.dumps(value).encode()
            self.send_response(code)
            headers = {"Content-Length": str(len(value)), **dict(headers)}
            for name, content in headers.items():
                self.send_header(name, content)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(value)

        def _missing(self, what):
            name = {"repo": "RepoNotFound", "revision": "RevisionNotFound"}
            self._answer(404, {}, {"X-Error-Code": name[what]})

        def _read(self):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))

        def do_GET(self):
            path = urllib.parse.unquote(self.path.split("?")[0])
            hub.requests.append(f"{self.command} {path}")
            if found := re.fullmatch(
                r"/api/models/([^/]+/[^/]+)(?:/(revision|tree)/([^/]+))?", path
            ):
                repo, kind, revision = found.groups()
                if repo not in hub.commits:
                    return self._missing("repo")
                try:
                    files, commit = hub.files(repo, revision or "main")
                except KeyError:
                    return self._missing("revision")
                if kind != "tree":
                    return self._answer(
                        200,
                        {
                            "id": repo,
                            "sha": commit,
                            "siblings": [{"rfilename": x} for x in files],
                        },
                    )
                return self._answer(
                    200,
                    [
                        {
                            "type": "file",
                            "path": name,
                            "size": len(data),
                            "oid": hashlib.sha1(data).hexdigest(),
                        }
                        for name, data in files.items()
                    ],
                )
            if found := re.fullmatch(
                r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path
            ):
                repo, revision, name = found.groups()
                if repo not in hub.commits:
                    return self._missing("repo")
                files, commit = hub.files(repo, revision)
                if name not in files:
                    return self._answer(
                        404, {}, {"X-Error-Code": "EntryNotFound"}
                    )
                etag = hashlib.sha1(files[name]).hexdigest()
                return self._answer(
                    200,
                    files[name],
                    {"ETag": f'"{etag}"', "X-Repo-Commit": commit},
                )
            return self._answer(404, {})

        do_HEAD = do_GET

        def do_POST(self):
            path = urllib.parse.unquote(self.path.split("?")[0])
            hub.requests.append(f"POST {path}")
            body = self._read()
            if path == "/api/repos/create":
                asked = json.loads(body)
                repo = "/".join(
                    x for x in (asked.get("organization"), asked["name"]) if x
                )
                code = 409 if repo in hub.commits else 200
                hub.commits.setdefault(repo, [])
                return self._answer(code, {"url": f"{hub.address}/{repo}"})
            if path == "/api/validate-yaml":
                return self._answer(200, {"errors": [], "warnings": []})
            if found := re.fullmatch(
                r"/api/models/([^/]+/[^/]+)/preupload/[^/]+", path
            ):
                names = [x["path"] for x in json.loads(body)["files"]]
                return self._answer(
                    200,
                    {
                        "files": [
                            {
                                "path": name,
                                "uploadMode": "regular",
                                "shouldIgnore": False,
                            }
                            for name in names
                        ]
                    },
                )
            if found := re.fullmatch(
                r"/api/models/([^/]+/[^/]+)/commit/[^/]+", path
            ):
                repo = found[1]
                if "Bearer" not in self.headers.get("Authorization", ""):
                    return self._answer(401, {"error": "not logged in"})
                hub.upload(repo, body.decode().splitlines())
                commit = hub.commit_id(repo)
                return self._answer(
                    200,
                    {
                        "commitUrl": f"{hub.address}/{repo}/commit/{commit}",
                        "commitOid": commit,
                        "success": True,
                    },
                )
            return self._answer(404, {})

    return Handler


@contextlib.contextmanager
def running():
    """A `Hub` that answers on loopback."""
    hub = Hub()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub))
    server.daemon_threads = True
    hub.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
