"""nginx, lighttpd and Caddy, with the configuration that each is run with.

Each serves with one process that answers, keeps a connection for as many requests as it lets itself be told, and logs
nothing, unless the conditions say otherwise.
"""

from __future__ import annotations

from collections.abc import Callable

from bench.place import Place

# nginx closes a connection after 1,000 requests by default, which most others do not.
NGINX_REQUESTS = 1_000_000_000
LIGHTTPD_REQUESTS = 65_535  # it knows no larger number; 1,000 by default
IDLE_TIME = 3600  # seconds that the idle connections of a crowd may wait
CONNECTIONS = 16_384

NGINX = """\
daemon off;
worker_processes {workers};
worker_rlimit_nofile {descriptors};
pid {scratch}/nginx.pid;
error_log {scratch}/error.log;
events {{ worker_connections {connections}; }}
http {{
    types {{ application/octet-stream bin; }}
    access_log {log};
    log_not_found off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests {keepalive};
    keepalive_timeout {idle}s;
    client_body_temp_path {scratch}/body;
    proxy_temp_path {scratch}/proxy;
    fastcgi_temp_path {scratch}/fastcgi;
    uwsgi_temp_path {scratch}/uwsgi;
    scgi_temp_path {scratch}/scgi;
    {cache}
    server {{
        listen 127.0.0.1:{port} backlog=1024{listen};
        root {site};
        {tls}
    }}
}}
"""
CACHE = "open_file_cache max=20000 inactive=60s; open_file_cache_valid 60s; open_file_cache_errors on;"
TLS = "ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate {file}; ssl_certificate_key {file};"


def nginx(cache: str = "") -> Callable[[Place], list[str]]:
    def command(place: Place) -> list[str]:
        asked = place.conditions
        configuration, errors = place.scratch / "nginx.conf", place.scratch / "error.log"
        configuration.write_text(
            NGINX.format(
                workers=2 if asked.two_workers else 1,
                descriptors=CONNECTIONS + 1024,
                connections=CONNECTIONS,
                scratch=place.scratch,
                site=place.site,
                port=place.port,
                log=f"{place.log} combined" if asked.log else "off",
                keepalive=NGINX_REQUESTS,
                idle=IDLE_TIME if asked.crowd else 75,
                cache=cache,
                listen=" ssl" * asked.tls + " deferred" * asked.deferred,
                tls=TLS.format(file=place.certificate) if asked.tls else "",
            )
        )
        return ["nginx", "-p", str(place.scratch), "-c", str(configuration), "-e", str(errors)]

    return command


LIGHTTPD = """\
server.document-root = "{site}"
server.bind = "127.0.0.1"
server.port = {port}
server.errorlog = "{scratch}/error.log"
server.max-keep-alive-requests = {keepalive}
server.max-connections = 8192
server.max-fds = 16384
server.listen-backlog = 1024
mimetype.assign = ( ".bin" => "application/octet-stream" )
"""

LIGHTTPD_LOG = """\
server.modules += ( "mod_accesslog" )
accesslog.filename = "{file}"
accesslog.format = "%h %l %u %t \\"%r\\" %>s %b \\"%{{Referer}}i\\" \\"%{{User-Agent}}i\\""
"""


def lighttpd(place: Place) -> list[str]:
    configuration = place.scratch / "lighttpd.conf"
    text = LIGHTTPD.format(
        scratch=place.scratch, site=place.site, port=place.port, keepalive=LIGHTTPD_REQUESTS
    )
    if place.conditions.log:
        text += LIGHTTPD_LOG.format(file=place.log)
    if place.conditions.deferred:
        text += "server.defer-accept = 1\n"
    configuration.write_text(text)
    return ["lighttpd", "-D", "-f", str(configuration)]


CADDY = """\
{{
    admin off
    auto_https off
}}
http://127.0.0.1:{port} {{
    root * {site}
    file_server
}}
"""


def caddy(place: Place) -> list[str]:
    configuration = place.scratch / "Caddyfile"
    configuration.write_text(CADDY.format(port=place.port, site=place.site))
    home = [f"XDG_{what}_HOME={place.scratch}" for what in ("CONFIG", "DATA")]  # it saves what it was told
    return ["env", *home, "caddy", "run", "--adapter", "caddyfile", "--config", str(configuration)]
