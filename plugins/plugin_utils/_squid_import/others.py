# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why the other directives of a squid.conf made by hand are not carried over. Private to this collection."""

from __future__ import annotations

from collections.abc import Iterable

from ...module_utils._squid.read import Directive
from .notes import Notes

_READ_ELSEWHERE = frozenset(
    {
        *("acl", "http_access", "include", "if", "http_port", "cache_peer", "never_direct", "auth_param"),
        *("adapted_http_access", "http_access2", "miss_access", "follow_x_forwarded_for", "external_acl_type"),
    }
)

_SAME = frozenset(
    {
        ("cache", "deny", "all"),
        ("coredump_dir", "/var/spool/squid"),
        ("eui_lookup", "off"),
        ("httpd_suppress_version_string", "on"),
        ("logfile_rotate", "0"),
        ("pinger_enable", "off"),
    }
)
"""What the role writes too."""

_GROUPS = {
    "nothing is cached here": (
        *("cache", "cache_dir", "cache_mem", "cache_replacement_policy", "cache_swap_high", "cache_swap_low"),
        *("maximum_object_size", "maximum_object_size_in_memory", "memory_replacement_policy", "minimum_object_size"),
        *("quick_abort_max", "quick_abort_min", "quick_abort_pct", "range_offset_limit", "refresh_pattern"),
    ),
    "the role has a log of its own": (
        *("access_log", "buffered_logs", "cache_log", "cache_store_log", "debug_options", "log_mime_hdrs"),
        *("logfile_daemon", "logfile_rotate", "logformat", "strip_query_terms"),
    ),
    "names are looked up as the host does it": (
        *("append_domain", "dns_defnames", "dns_nameservers", "dns_retransmit_interval", "dns_timeout"),
        *("dns_v4_first", "hosts_file", "ipcache_size", "negative_dns_ttl", "positive_dns_ttl"),
    ),
    "nothing goes around the parents here": (
        "always_direct",
        "hierarchy_stoplist",
        "nonhierarchical_direct",
        "prefer_direct",
    ),
    "here every client may use every parent": ("cache_peer_access", "cache_peer_domain"),
    "no proxy opens TLS here": (
        *("ssl_bump", "sslcrtd_children", "sslcrtd_program", "sslproxy_cert_adapt", "sslproxy_cert_error"),
        *("sslproxy_cert_sign", "tls_outgoing_options"),
    ),
    "requests are passed on as they are": (
        *("adaptation_access", "icap_enable", "icap_service", "redirect_program", "url_rewrite_access"),
        *(
            "request_header_access",
            "request_header_add",
            "reply_header_access",
            "url_rewrite_children",
            "url_rewrite_program",
        ),
    ),
    "the cache manager and the protocols between caches are off here": (
        *("cachemgr_passwd", "htcp_access", "htcp_port", "icp_access", "icp_port", "snmp_access", "snmp_port"),
    ),
    "set squid_connect_timeout": ("connect_timeout",),
    "set squid_forwarded_for": ("forwarded_for",),
    "set squid_max_filedescriptors": ("max_filedesc", "max_filedescriptors"),
    "set squid_shutdown_lifetime": ("shutdown_lifetime",),
    "set squid_tls_port, squid_tls_certificate and squid_tls_private_key": ("https_port",),
    "set squid_via": ("via",),
    "set squid_workers": ("workers",),
    "the role leaves the outgoing address to the host; squid_src says what parents see": ("tcp_outgoing_address",),
    "the role sets the proxy's name in the inventory": ("visible_hostname",),
}
_WHY = {name: why for why, names in _GROUPS.items() for name in names}
_NO_SETTING = "the role has no setting for it"


def note_others(directives: Iterable[Directive], notes: Notes) -> None:
    """Note every directive that nothing else reads."""
    for directive in directives:
        if directive.name not in _READ_ELSEWHERE and (directive.name, *directive.words) not in _SAME:
            notes.add(directive, _WHY.get(directive.name, _NO_SETTING))


def note_sign_in(directives: Iterable[Directive], auth: bool, notes: Notes) -> None:
    """Note what is said of signing in."""
    for directive in directives:
        scheme, setting, *_rest = (*(word.lower() for word in directive.words), "", "")
        if directive.name != "auth_param":
            continue
        if scheme != "basic":
            notes.add(directive, "clients sign in by Basic authentication only")
        elif not auth:
            notes.add(directive, "no sensor that is carried over must sign in")
        elif setting == "program":
            notes.add(
                directive, "its users are not known here; they are sensor_proxy_username and sensor_proxy_password"
            )
        else:
            notes.add(directive, "set squid_auth_realm" if setting == "realm" else "the role has settings of its own")
