import type { Random } from './random.js'

const pieces = [
  ...[
    'the',
    'cat',
    'ing',
    'un',
    ' ',
    '  ',
    '\t',
    '\n',
    '\r\n',
    '\0',
    '\u200d',
    '\u00ad',
    '\ufeff',
    '\u3000',
    '\u202e',
    '##s',
  ],
  ...[
    '\ud800',
    '\udc00',
    '\ud83d\ude00',
    '\u0301',
    '\u1161',
    '\uac00',
    '中文',
    'é',
    'ß',
    'İ',
    'ﬁ',
    '\u0d4d',
    '\uffff',
    '\u{10ffff}',
  ],
  ...[
    '[CLS]',
    '[MASK]',
    '<s>',
    '</s>',
    '<mask>',
    '[UNK',
    '▁',
    'Ġ',
    '@',
    '…',
    "don't",
    '1,234.5',
    '٣',
    '२',
    '१०',
    'e\u0301\u0323',
  ],
]

/** A text of odd pieces; one in many has a long word or is long. */
export function oddText(random: Random): string {
  const text = random.some(0, 12, () => random.pick(pieces)).join(random.oneIn(2) ? ' ' : '')
  if (!random.oneIn(30)) return text
  const unit = random.oneIn(2) ? random.pick(pieces) : text
  return unit.repeat(random.pick([50, 300, 3000]))
}

/** A text of any UTF-16 units. */
export function anyText(random: Random): string {
  return String.fromCharCode(...random.some(1, 20, () => random.int(random.pick([128, 0x3000, 0x10000]))))
}
