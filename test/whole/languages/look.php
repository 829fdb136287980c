<?php
// What PHP's own calls, and the libraries of its extensions, make of a name: from the command line or from a page.
error_reporting(0);
mysqli_report(MYSQLI_REPORT_OFF);
$name = $argv[1] ?? $_GET['name'] ?? null;
if ($name === null) exit;

function show(string $title, callable $call): void
{
    error_clear_last();
    try {
        $said = json_encode($call());
    } catch (Throwable $thrown) {
        $said = get_class($thrown) . ' ' . $thrown->getMessage();
    }
    echo $title, ' ', $said, ' ', error_get_last()['message'] ?? '', "\n";
}

show('gethostbyname', fn() => gethostbyname($name));
show('gethostbynamel', fn() => gethostbynamel($name));
show('fsockopen', fn() => [fsockopen($name, 81, $code, $text, 20), $code, $text]);
show('file_get_contents', fn() => file_get_contents("http://$name/"));
if (extension_loaded('sockets')) show('socket_addrinfo_lookup', fn() => array_map('socket_addrinfo_explain', socket_addrinfo_lookup($name, '80')));
show('curl', function () use ($name) {
    $curl = curl_init("http://$name/");
    curl_setopt($curl, CURLOPT_RETURNTRANSFER, true);
    curl_setopt($curl, CURLOPT_TIMEOUT, 20);
    return [curl_exec($curl), curl_errno($curl), curl_error($curl), curl_getinfo($curl, CURLINFO_PRIMARY_IP)];
});
show('mysqli', fn() => [mysqli_connect($name, 'u', 'p'), mysqli_connect_errno(), mysqli_connect_error()]);
show('PDO mysql', fn() => new PDO("mysql:dbname=d;host=$name", 'u', 'p'));
show('pgsql', fn() => pg_connect("user=u dbname=d host=$name"));
show('PDO pgsql', fn() => new PDO("pgsql:dbname=d;host=$name", 'u', 'p'));
