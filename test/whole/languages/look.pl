# What Perl's own calls make of a name.
use strict;
use warnings;
use Socket qw(:DEFAULT :addrinfo inet_ntop);
use IO::Socket::INET;
use IO::Socket::IP;

my ($name) = @ARGV;

my ($canonical, $aliases, $family, $length, @addresses) = gethostbyname($name);
print "gethostbyname ", defined $canonical ? join(" ", $canonical, $aliases, $family, map { inet_ntoa($_) } @addresses) : "none, $?", "\n";

for my $hints ({}, { socktype => SOCK_STREAM, flags => AI_CANONNAME }, { family => AF_INET6, flags => AI_ADDRCONFIG }) {
    my ($error, @entries) = getaddrinfo($name, "80", $hints);
    print "getaddrinfo $error\n";
    for my $entry (@entries) {
        my ($failed, $host, $port) = getnameinfo($entry->{addr}, NI_NUMERICHOST | NI_NUMERICSERV);
        print join(" ", $entry->{family}, $entry->{socktype}, $entry->{protocol}, $host, $port, $entry->{canonname} // "-"), "\n";
    }
}
for my $class ("IO::Socket::INET", "IO::Socket::IP") {
    my $socket = $class->new(PeerAddr => $name, PeerPort => 81, Proto => "tcp");
    print "$class ", $socket ? "connected" : $@, "\n";
}
