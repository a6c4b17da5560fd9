import { Email } from './email';

test.each([
  [' ada@example.com\n', 'ada@example.com'],
  ['Ada.Lovelace+tutor@EXAMPLE.Com', 'Ada.Lovelace+tutor@example.com'],
  ["o'brien@example.co.uk", "o'brien@example.co.uk"],
  ['ada@b\u00fccher.example', 'ada@xn--bcher-kva.example'],
  ['ada@bu\u0308cher.example', 'ada@xn--bcher-kva.example'],
  ['ada@пример.рф', 'ada@xn--e1afmkfd.xn--p1ai'],
  ['ada@ПРИМЕР.РФ', 'ada@xn--e1afmkfd.xn--p1ai'],
  ['ada@xn--e1afmkfd.xn--p1ai', 'ada@xn--e1afmkfd.xn--p1ai'],
  ['ada@XN--E1AFMKFD.XN--P1AI', 'ada@xn--e1afmkfd.xn--p1ai'],
  ['ada@mail.пример.рф', 'ada@mail.xn--e1afmkfd.xn--p1ai'],
  ['ada@例え。テスト', 'ada@xn--r8jz45g.xn--zckzah'],
  ['ada@xn--mgbh0fb.example', 'ada@xn--mgbh0fb.example'],
  [`${'a'.repeat(64)}@example.com`, `${'a'.repeat(64)}@example.com`],
])('the address %j is stored as %j', (typed, stored) => {
  expect(Email.parse(typed)).toBe(stored);
  expect(Email.parse(stored)).toBe(stored);
});

test.each([
  '',
  'ada',
  'ada@',
  '@example.com',
  'ada@example',
  'ada@@example.com',
  'ada@example..com',
  '.ada@example.com',
  'ada..l@example.com',
  'ada @example.com',
  'ada@exa mple.com',
  'ada@-example.com',
  'ada@127.0.0.1',
  'ada@[127.0.0.1]',
  '"ada"@example.com',
  "'ada@example.com",
  "ada'@example.com",
  'a&b=c@example.com',
  'ada@example.c0m',
  '<ada@example.com>',
  'ada@example.com, eve@example.com',
  'ada@example.com\r\nBcc: eve@example.com',
  'ada\u0000@example.com',
  '=cmd|x@example.com',
  '-oQ/tmp@example.com',
  '\u{1f600}@example.com',
  'adа@example.com'.replace('а', '\u0430'),
  '<script>@example.com',
  `${'a'.repeat(65)}@example.com`,
  `ada@${'a.'.repeat(125)}com`,
  `ada@${'a'.repeat(64)}.com`,
  'ada@xn--a.example',
  'ada@xn--e1afmkfd.xn--',
  'ada@example.xn--99999999999',
  'ада@пример.рф',
])('%j is no e-mail address', (typed) => {
  expect(Email.safeParse(typed).success).toBe(false);
});
