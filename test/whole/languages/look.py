# What Python's own calls make of a name.
import socket
import sys
import urllib.request

name = sys.argv[1]


def show(title, call):
    try:
        print(title, call())
    except Exception as error:
        print(title, type(error).__name__, error)


show("getaddrinfo", lambda: socket.getaddrinfo(name, 80))
show("getaddrinfo v4", lambda: socket.getaddrinfo(name, "http", socket.AF_INET, socket.SOCK_STREAM))
show("getaddrinfo v6", lambda: socket.getaddrinfo(name, None, socket.AF_INET6, socket.SOCK_DGRAM))
FLAGS = socket.AI_CANONNAME | socket.AI_ADDRCONFIG | socket.AI_V4MAPPED
show("getaddrinfo flags", lambda: socket.getaddrinfo(name, 80, socket.AF_INET6, socket.SOCK_STREAM, 0, FLAGS))
show("gethostbyname", lambda: socket.gethostbyname(name))
show("gethostbyname_ex", lambda: socket.gethostbyname_ex(name))
show("connect", lambda: socket.create_connection((name, 81)))
show("http", lambda: urllib.request.urlopen(f"http://{name}/").read())
