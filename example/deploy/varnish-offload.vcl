# Varnish sends large files from its memory, and the package decides who gets them: what
# nginx-offload.conf does, with the same settings. No test covers this file: it was run by hand, with
# Varnish 7.1.

vcl 4.1;

backend default {
    .host = "127.0.0.1";
    .port = "8000";
}

# These are called first: put whatever else you have after them.
sub vcl_recv {
    if (req.restarts > 0) {
        # Django has decided. The fetch sends nothing of the visitor's request but host and scheme.
        unset req.http.Cookie;
        unset req.http.Authorization;
        return (hash);
    }
    # Drop whatever a visitor wrote there.
    unset req.http.X-Content;
    call forget;
    if (req.url ~ "(?i)^/+(_|%5f)content(/|%2f)") {
        return (synth(404));
    }
    # Django ignores these. Varnish would answer 416 and 503.
    if (req.method == "HEAD" || req.http.Range == "" || req.http.Range ~ ",") {
        unset req.http.Range;
    }
    set req.http.X-Offload = "nginx";
    set req.http.X-Forwarded-For = client.ip;
    # TLS ends in front of Varnish.
    set req.http.X-Forwarded-Proto = "https";
    return (pass);
}

sub vcl_hash {
    if (req.http.X-Content) {
        # The path of the content, without the token.
        hash_data(regsub(req.http.X-Content, "\?.*$", ""));
        return (lookup);
    }
}

sub vcl_backend_response {
    if (bereq.http.X-Content) {
        unset beresp.http.Set-Cookie;
        unset beresp.http.Vary;
        if (beresp.status != 200) {
            set beresp.uncacheable = true;
            set beresp.ttl = 0s;
            return (deliver);
        }
        # Content never changes under its path. A deleted file stays here that long.
        set beresp.ttl = 1h;
        set beresp.grace = 0s;
        set beresp.keep = 0s;
        set beresp.do_stream = true;
        return (deliver);
    }
}

sub vcl_deliver {
    if (req.restarts == 0 && resp.http.X-Accel-Redirect) {
        call keep;
        set req.http.X-Content = resp.http.X-Accel-Redirect;
        set req.url = resp.http.X-Accel-Redirect;
        return (restart);
    }
    if (req.http.X-Content) {
        if (resp.status != 200 && resp.status != 206 && resp.status != 416) {
            return (synth(502));
        }
        call give;
    }
    unset resp.http.X-Link;
}

# The header fields of Django's answer about the file. Of several cookies, one is kept.
sub keep {
    set req.http.X-Kept-Type = resp.http.Content-Type;
    set req.http.X-Kept-Disposition = resp.http.Content-Disposition;
    set req.http.X-Kept-Caching = resp.http.Cache-Control;
    set req.http.X-Kept-Cookie = resp.http.Set-Cookie;
    set req.http.X-Kept-Policy = resp.http.Content-Security-Policy;
    set req.http.X-Kept-Resource = resp.http.Cross-Origin-Resource-Policy;
    set req.http.X-Kept-Opener = resp.http.Cross-Origin-Opener-Policy;
    set req.http.X-Kept-Referrer = resp.http.Referrer-Policy;
    set req.http.X-Kept-Sniffing = resp.http.X-Content-Type-Options;
    set req.http.X-Kept-Robots = resp.http.X-Robots-Tag;
    set req.http.X-Kept-Frames = resp.http.X-Frame-Options;
    set req.http.X-Kept-Transport = resp.http.Strict-Transport-Security;
    set req.http.X-Kept-Vary = resp.http.Vary;
    set req.http.X-Kept-Origin = resp.http.Access-Control-Allow-Origin;
    set req.http.X-Kept-Credentials = resp.http.Access-Control-Allow-Credentials;
    set req.http.X-Kept-Exposed = resp.http.Access-Control-Expose-Headers;
}

sub give {
    set resp.http.Content-Type = req.http.X-Kept-Type;
    set resp.http.Content-Disposition = req.http.X-Kept-Disposition;
    set resp.http.Cache-Control = req.http.X-Kept-Caching;
    set resp.http.Set-Cookie = req.http.X-Kept-Cookie;
    set resp.http.Content-Security-Policy = req.http.X-Kept-Policy;
    set resp.http.Cross-Origin-Resource-Policy = req.http.X-Kept-Resource;
    set resp.http.Cross-Origin-Opener-Policy = req.http.X-Kept-Opener;
    set resp.http.Referrer-Policy = req.http.X-Kept-Referrer;
    set resp.http.X-Content-Type-Options = req.http.X-Kept-Sniffing;
    set resp.http.X-Robots-Tag = req.http.X-Kept-Robots;
    set resp.http.X-Frame-Options = req.http.X-Kept-Frames;
    set resp.http.Strict-Transport-Security = req.http.X-Kept-Transport;
    set resp.http.Vary = req.http.X-Kept-Vary;
    set resp.http.Access-Control-Allow-Origin = req.http.X-Kept-Origin;
    set resp.http.Access-Control-Allow-Credentials = req.http.X-Kept-Credentials;
    set resp.http.Access-Control-Expose-Headers = req.http.X-Kept-Exposed;
    # Remove the fields that Django's answer did not have.
    if (resp.http.Content-Type == "") { unset resp.http.Content-Type; }
    if (resp.http.Content-Disposition == "") { unset resp.http.Content-Disposition; }
    if (resp.http.Cache-Control == "") { unset resp.http.Cache-Control; }
    if (resp.http.Set-Cookie == "") { unset resp.http.Set-Cookie; }
    if (resp.http.Content-Security-Policy == "") { unset resp.http.Content-Security-Policy; }
    if (resp.http.Cross-Origin-Resource-Policy == "") { unset resp.http.Cross-Origin-Resource-Policy; }
    if (resp.http.Cross-Origin-Opener-Policy == "") { unset resp.http.Cross-Origin-Opener-Policy; }
    if (resp.http.Referrer-Policy == "") { unset resp.http.Referrer-Policy; }
    if (resp.http.X-Content-Type-Options == "") { unset resp.http.X-Content-Type-Options; }
    if (resp.http.X-Robots-Tag == "") { unset resp.http.X-Robots-Tag; }
    if (resp.http.X-Frame-Options == "") { unset resp.http.X-Frame-Options; }
    if (resp.http.Strict-Transport-Security == "") { unset resp.http.Strict-Transport-Security; }
    if (resp.http.Vary == "") { unset resp.http.Vary; }
    if (resp.http.Access-Control-Allow-Origin == "") { unset resp.http.Access-Control-Allow-Origin; }
    if (resp.http.Access-Control-Allow-Credentials == "") { unset resp.http.Access-Control-Allow-Credentials; }
    if (resp.http.Access-Control-Expose-Headers == "") { unset resp.http.Access-Control-Expose-Headers; }
}

sub forget {
    unset req.http.X-Kept-Type;
    unset req.http.X-Kept-Disposition;
    unset req.http.X-Kept-Caching;
    unset req.http.X-Kept-Cookie;
    unset req.http.X-Kept-Policy;
    unset req.http.X-Kept-Resource;
    unset req.http.X-Kept-Opener;
    unset req.http.X-Kept-Referrer;
    unset req.http.X-Kept-Sniffing;
    unset req.http.X-Kept-Robots;
    unset req.http.X-Kept-Frames;
    unset req.http.X-Kept-Transport;
    unset req.http.X-Kept-Vary;
    unset req.http.X-Kept-Origin;
    unset req.http.X-Kept-Credentials;
    unset req.http.X-Kept-Exposed;
}
