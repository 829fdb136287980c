# What Ruby's own calls make of a name.
require "net/http"
require "socket"

NAME = ARGV[0]

def show(title)
  puts "#{title} #{yield.inspect}"
rescue StandardError => error
  puts "#{title} #{error.class} #{error.message}"
end

show("Addrinfo") { Addrinfo.getaddrinfo(NAME, 80).map(&:inspect_sockaddr) }
show("Addrinfo v4") { Addrinfo.getaddrinfo(NAME, nil, :INET, :STREAM).map(&:ip_address) }
show("Addrinfo canonical") { Addrinfo.getaddrinfo(NAME, nil, nil, :STREAM, nil, Socket::AI_CANONNAME).map(&:canonname) }
show("IPSocket.getaddress") { IPSocket.getaddress(NAME) }
show("TCPSocket") { TCPSocket.new(NAME, 81) }
show("Net::HTTP") { Net::HTTP.get(URI("http://#{NAME}/")) }
