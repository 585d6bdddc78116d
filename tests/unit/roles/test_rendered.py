# Copyright: ot_security.proxy_chaining contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The collection's own look-up of a template, beside Ansible's."""

from __future__ import annotations

import subprocess
from pathlib import Path

TEMPLATE = r"""# {{ name }}
{% macro twice(word) %}
{{ word }} {{ word }}
{%- endmacro %}
{% for number in [1, 2] %}
    {{ twice(number) }} \n {{ nested }}
{% endfor %}
{% include 'files/plain.txt' %}
{% include 'other.j2' %}

"""
PLAY = """
- hosts: all
  gather_facts: false
  vars: {name: "é {{ '{{' }}", nested: "{{ groups.all | join }}"}
  tasks:
    - ansible.builtin.assert:
        that: own == lookup('ansible.builtin.template', 'some.j2') and own is search('1 1 .n ab\\n    2 2')
      vars: {own: "{{ lookup('ot_security.proxy_chaining.rendered', 'some.j2') }}"}
"""


def test_it_renders_as_ansibles_own_does(tmp_path: Path) -> None:
    for name, text in {
        "play.yml": PLAY,
        "templates/some.j2": TEMPLATE,
        "templates/other.j2": "[{{ name }}]\n",
        "files/plain.txt": "as it is\n",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    done = subprocess.run(
        ["ansible-playbook", "-i", "a,b", tmp_path / "play.yml"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
