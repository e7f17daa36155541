// The default mapping of ngx_http_ilert_module as well as it can be written in
// njs (libnginx-mod-http-js), to be compared with.  Numbers go through doubles
// here; time columns are compared as text; an id is needed.

const KEY = 'il1api0be9c4';

const NAMED = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'",
    nbsp: '\u00a0' };

const BREAK = {};
('p div tr li ul ol dl dt dd table thead tbody h1 h2 h3 h4 h5 h6 pre '
 + 'blockquote section article header footer title').split(' ')
    .forEach((name) => { BREAK[name] = true; });

const LEVEL = { OK: 'RESOLVE', INFO: 'ALERT', WARNING: 'ALERT',
    CRITICAL: 'ALERT' };


function entity(all, name) {
    if (name[0] != '#') {
        return NAMED[name] || all;
    }

    const n = name[1] == 'x' ? parseInt(name.slice(2), 16)
                             : parseInt(name.slice(1), 10);

    return n && n <= 0x10ffff && (n < 0xd800 || n > 0xdfff)
        ? String.fromCodePoint(n) : '\ufffd';
}


function unescape(text) {
    return text.indexOf('&') < 0 ? text
        : text.replace(/&(amp|lt|gt|quot|apos|nbsp|#[0-9]+|#x[0-9a-fA-F]+);/g,
                       entity);
}


function tag(all, close, name) {
    name = (name || '').toLowerCase();

    if (close) {
        return BREAK[name] ? '\n' : name == 'td' || name == 'th' ? ' ' : '';
    }

    return name == 'br' || name == 'hr' ? '\n' : '';
}


function text(html) {
    if (html == '') {
        return undefined;
    }

    const t = html.replace(/<(?:(\/?)([A-Za-z][^\s\/>]*)|!)[^>]*>/g, tag);

    return unescape(t).replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, '') || undefined;
}


function dumped(details) {
    if (!/^\s*\{/.test(details)) {
        return null;
    }

    try {
        const dump = JSON.parse(unescape(details));

        return typeof dump.TaskName == 'string'
            && typeof dump.Group == 'string' && typeof dump.ID == 'string'
            && typeof dump.Level == 'string' ? dump : null;

    } catch (e) {
        return null;
    }
}


function known(value) {
    return value === null ? undefined : value;
}


function row(series, values) {
    const columns = series.columns;
    const n = columns.length;
    const fields = {};
    let time;

    if (values.length != n) {
        throw new Error('expected ' + n + ' values');
    }

    for (let i = 0; i < n; i++) {
        const name = columns[i];

        if (name == 'time') {
            time = known(values[i]);
        } else {
            fields[name] = values[i];
        }
    }

    return { time: time, measurement: series.name, tags: known(series.tags),
             fields: fields };
}


function event(body) {
    const w = JSON.parse(body);
    const type = LEVEL[w.level];

    if (!type) {
        throw new Error('level: expected OK, INFO, WARNING or CRITICAL');
    }

    const all = (w.data && w.data.series) || [];
    const rows = [];
    let trigger = -1;
    let last = -1;

    for (let i = 0; i < all.length; i++) {
        const series = all[i];
        const values = series.values || [];
        const n = values.length;

        for (let j = 0; j < n; j++) {
            const r = row(series, values[j]);

            if (trigger < 0 && w.time && r.time == w.time) {
                trigger = rows.length;
            }

            rows.push(r);
        }

        if (i == 0) {
            last = rows.length - 1;
        }
    }

    if (trigger < 0) {
        trigger = last;
    }

    const r = trigger >= 0 ? rows.splice(trigger, 1)[0] : {};
    const dump = dumped(w.details || '');

    const json = JSON.stringify({
        integrationKey: KEY,
        eventType: type,
        summary: w.message || w.id + ' is ' + w.level,
        details: dump ? undefined : text(w.details || ''),
        alertKey: w.id,
        customDetails: {
            id: known(w.id), level: w.level,
            previousLevel: known(w.previousLevel), time: known(w.time),
            duration: known(w.duration), message: known(w.message),
            measurement: r.measurement,
            task: dump ? dump.TaskName : undefined,
            group: dump ? dump.Group : undefined,
            server: dump && dump.ServerInfo ? dump.ServerInfo.Hostname
                                            : undefined,
            tags: r.tags, fields: r.fields,
            rows: rows.length ? rows : undefined,
        },
    });

    if (json.length > 65536) {
        throw new Error('too large');
    }

    return json;
}


// The value of proxy_set_body: no subrequest, the cheapest way there is.

function map(r) {
    try {
        return event(r.requestText);

    } catch (e) {
        r.error(e.message);
        return '';
    }
}


const ANSWER = '{"status":"accepted","event":"1"}';
const REJECTED = '{"status":"rejected"}';


function header(r) {
    const taken = r.status >= 200 && r.status < 300;

    r.status = taken ? 202 : 502;
    r.headersOut['Content-Type'] = 'application/json';
    r.headersOut['Content-Length'] = taken ? ANSWER.length : REJECTED.length;
}


function body(r, data, flags) {
    if (flags.last) {
        r.sendBuffer(r.status == 202 ? ANSWER : REJECTED, flags);
    }
}


export default { map, header, body };
