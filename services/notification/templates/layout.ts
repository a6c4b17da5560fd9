// Every mail has one frame. Words and facts come in as plain strings and are escaped here, in the only place where HTML is
// written. Styles are inline because mail programs drop style sheets.

const FONT = "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif";
const INK = '#1f2933';
const QUIET = '#52606d'; // 6.4:1 on white, above WCAG's 4.5:1 for text
const BUTTON = '#1d4ed8'; // white on it is 6.7:1

/** The frame: head, hidden preview line, name of the house, footer. The message goes where `@partial-block` stands. */
export const HTML_LAYOUT = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light">
<title>{{subject}}</title>
</head>
<body style="margin:0;padding:0;background-color:#f4f5f7;color:${INK};${FONT};font-size:16px;line-height:1.5">
<div style="display:none;max-height:0;overflow:hidden">{{preheader}}</div>
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" style="background-color:#f4f5f7">
<tr><td align="center" style="padding:24px 12px">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" style="max-width:560px;background-color:#ffffff;border:1px solid #e4e7eb;border-radius:8px">
<tr><td style="padding:24px 28px 0;color:${QUIET};font-size:14px;font-weight:600">TutorConnect</td></tr>
<tr><td style="padding:8px 28px 28px">
{{> @partial-block}}
</td></tr>
</table>
<p style="max-width:560px;margin:16px auto 0;color:${QUIET};font-size:13px">{{footer}}</p>
</td></tr>
</table>
</body>
</html>
`;

export const HTML_MESSAGE = `{{#> layout}}
<h1 style="margin:0 0 16px;color:${INK};font-size:22px;line-height:1.3">{{heading}}</h1>
<p style="margin:0 0 16px">Hello{{#if name}} {{name}}{{/if}},</p>
{{#each paragraphs}}
<p style="margin:0 0 16px">{{this}}</p>
{{/each}}
{{#if details}}
<table cellpadding="0" cellspacing="0" border="0" width="100%" style="margin:0 0 20px;border-top:1px solid #e4e7eb">
{{#each details}}
<tr>
<th scope="row" align="left" valign="top" style="padding:8px 12px 8px 0;border-bottom:1px solid #e4e7eb;color:${QUIET};font-weight:400;white-space:nowrap">{{label}}</th>
<td align="left" valign="top" style="padding:8px 0;border-bottom:1px solid #e4e7eb">{{#if link}}<a href="{{value}}" style="color:${BUTTON};word-break:break-all">{{value}}</a>{{else}}{{value}}{{/if}}</td>
</tr>
{{/each}}
</table>
{{/if}}
{{#if action}}
<table role="presentation" cellpadding="0" cellspacing="0" border="0" style="margin:0 0 16px">
<tr><td style="border-radius:6px;background-color:${BUTTON}"><a href="{{action.url}}" style="display:inline-block;padding:12px 22px;color:#ffffff;font-weight:600;text-decoration:none">{{action.label}}</a></td></tr>
</table>
<p style="margin:0;color:${QUIET};font-size:13px">If the button does not work, open this address: <a href="{{action.url}}" style="color:${BUTTON};word-break:break-all">{{action.url}}</a></p>
{{/if}}
{{/layout}}`;

/** The same message as plain text (RFC 2046 §5.1.4: the plainest alternative comes first). */
export const TEXT_MESSAGE = `{{heading}}

Hello{{#if name}} {{name}}{{/if}},

{{#each paragraphs}}
{{this}}

{{/each}}
{{#if details}}
{{#each details}}
{{label}}: {{value}}
{{/each}}

{{/if}}
{{#if action}}
{{action.label}}:
{{action.url}}

{{/if}}
-- 
{{footer}}
`;
