<?php
// Prints the address of one of some names, picked at random, and who looked it up: worker, libc, with client.so or not.
header('Content-Type: text/plain');

$names = array_map('trim', explode(',', getenv('DEMO_NAMES') ?: 'google.com,github.com'));
$name = $names[array_rand($names)];
$address = gethostbyname($name); // gives the name back when it finds no address
if ($address === $name) {
    http_response_code(503);
    $address = 'unknown';
}

$mapped = file_get_contents('/proc/self/maps');
$libc = str_contains($mapped, '/ld-musl-') ? 'musl' : 'glibc';
$client = str_contains($mapped, '/client.so') ? 'with client.so' : 'without client.so';
printf("%s has address %s\n", $name, $address);
printf("asked by PHP %s, worker %d, on %s, %s\n", PHP_VERSION, getmypid(), $libc, $client);
