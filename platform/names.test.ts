import { DisplayName, KnownName, PersonName } from './names';

test.each([
  'Ada',
  "Anne-Marie O'Neil Jr.",
  'Dr. med. Müller-Lüdenscheidt',
  'J.R.R. Tolkien',
  'D.C.Miller M.Sc.',
  'Ph.D. Grace Hopper',
  'e.e. cummings',
  '山田',
  'Zoë (they/them)',
  'علی‌رضا',
  '\u{1f469}\u200d\u{1f3eb} Ada',
  'Maths: Ada',
  'Ada & Grace, tutors',
  '1.5 Ada',
])('%j is a name', (name) => {
  expect(PersonName.parse(name)).toBe(name);
  expect(DisplayName.parse(name)).toBe(name);
});

test.each([
  'http://evil.example/win',
  'https:evil',
  'Visit evil.example',
  'www.evil.example',
  'EVIL.COM',
  'win at evil.example/win now',
  'x.ai/win',
  '//evil',
  'пример.рф',
  'evil\u3002example',
  'evil.xn--p1ai',
  'mailto:eve',
  'eve@example.com',
  '203.0.113.7',
  `${'a'.repeat(30)}.example`,
])('%j is a link and no name', (name) => {
  expect(PersonName.safeParse(name).success).toBe(false);
  expect(DisplayName.safeParse(name).success).toBe(false);
});

test.each(['Ada\nLovelace', 'Ada\r\nBcc: eve', 'Ada\u2028Lovelace', 'Ada\u2029Lovelace'])(
  '%j is no name, being of two lines',
  (name) => {
    expect(PersonName.safeParse(name).success).toBe(false);
    expect(DisplayName.safeParse(name).success).toBe(false);
  },
);

test('a name is trimmed, and a run of spaces is one', () => {
  expect(PersonName.parse(' Ada \t  King\n')).toBe('Ada King');
});

test('a name of before is read as it is', () => {
  expect(KnownName.parse('http://evil.example/win')).toBe('http://evil.example/win');
});

test('text of a hundred thousand characters is refused in no time', () => {
  for (const part of ['a', '1', 'a.', '-', '@', 'a:', '\u0301']) {
    expect(PersonName.safeParse(part.repeat(100_000 / part.length)).success).toBe(false);
  }
});
