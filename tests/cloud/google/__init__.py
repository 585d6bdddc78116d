"""STAND-IN for Google's Compute Engine API, as much of it as a classic VPN needs.

The unchanged google.cloud modules reach it through its proxy and with its CA (tests/cloud/front.py), with an access token. It
refuses what the service refuses, never shows a tunnel's secret, and writes down what it was sent.

It differs from the real one. Everything is done at once, unless ``seconds`` says otherwise. It has one project and any region,
knows no quotas, permissions, filters or pages, fills in few of the fields that Google fills in, and forwards no packets. Status,
reason and words of its errors are from public reports where there are some; rules.py says which were only guessed. Nothing was
compared with a real project.
"""
