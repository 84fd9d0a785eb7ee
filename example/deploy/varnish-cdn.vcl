# Varnish 7: keeps public files, and nothing else.

vcl 4.1;

backend default {
    .host = "127.0.0.1";
    .port = "8000";
}

# The machines that run Django.
acl purgers {
    "127.0.0.1";
}

sub vcl_recv {
    # Django decides about every request with a token, in the query or in the path.
    if (req.url !~ "^/files/" || req.url ~ "^/files/(~|%7[Ee])" || req.url ~ "[?&]token=") {
        return (pass);
    }
    if (req.method != "GET" && req.method != "HEAD") {
        return (pass);
    }
    # Neither the query nor cookies change a public file, and each would make a separate entry.
    set req.url = regsub(req.url, "\?.*", "");
    unset req.http.Cookie;
    if (req.http.X-Purge && client.ip ~ purgers) {
        return (purge);
    }
    return (hash);
}

sub vcl_backend_response {
    # How long an old answer is shown while a new one is being fetched.
    set beresp.grace = 10s;
}
