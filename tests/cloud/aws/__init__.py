"""STAND-IN for AWS's EC2, as much of it as a site-to-site VPN needs: moto's server, and what moto lacks (vpn.py).

It runs on loopback in a process of its own, in the environment that tools/cloud makes, and writes down what it was sent. The
unchanged amazon.aws and community.aws modules reach it by AWS_ENDPOINT_URL.

It differs from the real one. A connection is there at once, a change of it too, and its tunnels are always up; addresses are from
documentation's networks. It checks no signatures and no permissions, knows no quotas, and forwards no packets. That a gateway's
routes leave the route tables with it, and the words of some errors, are guessed. Nothing was compared with a real account.
"""
