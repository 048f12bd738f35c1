/**
 * Made by test/parity/make_unicode_tables.py from tokenizers 0.23.3 and an engine of Unicode 17.0; do not edit.
 * Ranges for a character class of a regular expression with the flag u.
 */

// Letters, digits or marks to the engine; nothing that a pattern knows there.
export const newerCharacters =
  '\\u088f\\u0c5c\\u0cdc\\u1acf-\\u1add\\u1ae0-\\u1aeb\\ua7ce-\\ua7cf\\ua7d2\\ua7d4\\ua7f1\\u{10940}-' +
  '\\u{10959}\\u{10ec5}-\\u{10ec7}\\u{10efa}-\\u{10efb}\\u{11b60}-\\u{11b67}\\u{11db0}-\\u{11ddb}' +
  '\\u{11de0}-\\u{11de9}\\u{16ea0}-\\u{16eb8}\\u{16ebb}-\\u{16ed3}\\u{16ff2}-\\u{16ff6}\\u{187f8}-' +
  '\\u{187ff}\\u{18d09}-\\u{18d1e}\\u{18d80}-\\u{18df2}\\u{1e6c0}-\\u{1e6de}\\u{1e6e0}-\\u{1e6f5}' +
  '\\u{1e6fe}-\\u{1e6ff}\\u{2b73a}-\\u{2b73f}\\u{2cea2}-\\u{2cead}\\u{323b0}-\\u{33479}'

// Decomposed, composed or moved among marks otherwise than there.
export const newerForms =
  '\\u07fd\\u0897-\\u089f\\u08ca-\\u08d3\\u09fe\\u0c3c\\u0d3b-\\u0d3c\\u0eba\\u1715\\u1abf-\\u1add' +
  '\\u1ae0-\\u1aeb\\u1df6-\\u1dfa\\u32ff\\ua7f1-\\ua7f4\\ua82c\\uab69\\u{105c9}\\u{105e4}\\u{10781}-' +
  '\\u{10785}\\u{10787}-\\u{107b0}\\u{107b2}-\\u{107ba}\\u{10d24}-\\u{10d27}\\u{10d69}-\\u{10d6d}' +
  '\\u{10eab}-\\u{10eac}\\u{10efa}-\\u{10efb}\\u{10efd}-\\u{10eff}\\u{10f46}-\\u{10f50}\\u{10f82}-' +
  '\\u{10f85}\\u{11070}\\u{1133b}\\u{11383}\\u{11385}\\u{1138e}\\u{11391}\\u{113c5}\\u{113c7}-' +
  '\\u{113c8}\\u{113ce}-\\u{113d0}\\u{1145e}\\u{11839}-\\u{1183a}\\u{11938}\\u{1193d}-\\u{1193e}' +
  '\\u{11943}\\u{119e0}\\u{11a34}\\u{11a47}\\u{11a99}\\u{11d42}\\u{11d44}-\\u{11d45}\\u{11d97}' +
  '\\u{11f41}-\\u{11f42}\\u{16121}-\\u{16128}\\u{1612f}\\u{16d68}-\\u{16d6a}\\u{16ff0}-\\u{16ff1}' +
  '\\u{1ccd6}-\\u{1ccf9}\\u{1e030}-\\u{1e06d}\\u{1e08f}\\u{1e130}-\\u{1e136}\\u{1e2ae}\\u{1e2ec}-' +
  '\\u{1e2ef}\\u{1e4ec}-\\u{1e4ef}\\u{1e5ee}-\\u{1e5ef}\\u{1e6e3}\\u{1e6e6}\\u{1e6ee}-\\u{1e6ef}' +
  '\\u{1e6f5}\\u{1f16c}\\u{1fbf0}-\\u{1fbf9}'

// Removed by StripAccents.
export const combiningMarks =
  '\\u0300-\\u036f\\u0483-\\u0489\\u0591-\\u05bd\\u05bf\\u05c1-\\u05c2\\u05c4-\\u05c5\\u05c7\\u0610-' +
  '\\u061a\\u064b-\\u065f\\u0670\\u06d6-\\u06dc\\u06df-\\u06e4\\u06e7-\\u06e8\\u06ea-\\u06ed\\u0711' +
  '\\u0730-\\u074a\\u07a6-\\u07b0\\u07eb-\\u07f3\\u0816-\\u0819\\u081b-\\u0823\\u0825-\\u0827\\u0829-' +
  '\\u082d\\u0859-\\u085b\\u08d4-\\u08e1\\u08e3-\\u0903\\u093a-\\u093c\\u093e-\\u094f\\u0951-\\u0957' +
  '\\u0962-\\u0963\\u0981-\\u0983\\u09bc\\u09be-\\u09c4\\u09c7-\\u09c8\\u09cb-\\u09cd\\u09d7\\u09e2-' +
  '\\u09e3\\u0a01-\\u0a03\\u0a3c\\u0a3e-\\u0a42\\u0a47-\\u0a48\\u0a4b-\\u0a4d\\u0a51\\u0a70-\\u0a71' +
  '\\u0a75\\u0a81-\\u0a83\\u0abc\\u0abe-\\u0ac5\\u0ac7-\\u0ac9\\u0acb-\\u0acd\\u0ae2-\\u0ae3\\u0b01-' +
  '\\u0b03\\u0b3c\\u0b3e-\\u0b44\\u0b47-\\u0b48\\u0b4b-\\u0b4d\\u0b56-\\u0b57\\u0b62-\\u0b63\\u0b82' +
  '\\u0bbe-\\u0bc2\\u0bc6-\\u0bc8\\u0bca-\\u0bcd\\u0bd7\\u0c00-\\u0c03\\u0c3e-\\u0c44\\u0c46-\\u0c48' +
  '\\u0c4a-\\u0c4d\\u0c55-\\u0c56\\u0c62-\\u0c63\\u0c81-\\u0c83\\u0cbc\\u0cbe-\\u0cc4\\u0cc6-\\u0cc8' +
  '\\u0cca-\\u0ccd\\u0cd5-\\u0cd6\\u0ce2-\\u0ce3\\u0d01-\\u0d03\\u0d3e-\\u0d44\\u0d46-\\u0d48\\u0d4a-' +
  '\\u0d4d\\u0d57\\u0d62-\\u0d63\\u0d82-\\u0d83\\u0dca\\u0dcf-\\u0dd4\\u0dd6\\u0dd8-\\u0ddf\\u0df2-' +
  '\\u0df3\\u0e31\\u0e34-\\u0e3a\\u0e47-\\u0e4e\\u0eb1\\u0eb4-\\u0eb9\\u0ebb-\\u0ebc\\u0ec8-\\u0ecd' +
  '\\u0f18-\\u0f19\\u0f35\\u0f37\\u0f39\\u0f3e-\\u0f3f\\u0f71-\\u0f84\\u0f86-\\u0f87\\u0f8d-\\u0f97' +
  '\\u0f99-\\u0fbc\\u0fc6\\u102b-\\u103e\\u1056-\\u1059\\u105e-\\u1060\\u1062-\\u1064\\u1067-\\u106d' +
  '\\u1071-\\u1074\\u1082-\\u108d\\u108f\\u109a-\\u109d\\u135d-\\u135f\\u1712-\\u1714\\u1732-\\u1734' +
  '\\u1752-\\u1753\\u1772-\\u1773\\u17b4-\\u17d3\\u17dd\\u180b-\\u180d\\u1885-\\u1886\\u18a9\\u1920-' +
  '\\u192b\\u1930-\\u193b\\u1a17-\\u1a1b\\u1a55-\\u1a5e\\u1a60-\\u1a7c\\u1a7f\\u1ab0-\\u1abe\\u1b00-' +
  '\\u1b04\\u1b34-\\u1b44\\u1b6b-\\u1b73\\u1b80-\\u1b82\\u1ba1-\\u1bad\\u1be6-\\u1bf3\\u1c24-\\u1c37' +
  '\\u1cd0-\\u1cd2\\u1cd4-\\u1ce8\\u1ced\\u1cf2-\\u1cf4\\u1cf8-\\u1cf9\\u1dc0-\\u1df5\\u1dfb-\\u1dff' +
  '\\u20d0-\\u20f0\\u2cef-\\u2cf1\\u2d7f\\u2de0-\\u2dff\\u302a-\\u302f\\u3099-\\u309a\\ua66f-\\ua672' +
  '\\ua674-\\ua67d\\ua69e-\\ua69f\\ua6f0-\\ua6f1\\ua802\\ua806\\ua80b\\ua823-\\ua827\\ua880-\\ua881' +
  '\\ua8b4-\\ua8c5\\ua8e0-\\ua8f1\\ua926-\\ua92d\\ua947-\\ua953\\ua980-\\ua983\\ua9b3-\\ua9c0\\ua9e5' +
  '\\uaa29-\\uaa36\\uaa43\\uaa4c-\\uaa4d\\uaa7b-\\uaa7d\\uaab0\\uaab2-\\uaab4\\uaab7-\\uaab8\\uaabe-' +
  '\\uaabf\\uaac1\\uaaeb-\\uaaef\\uaaf5-\\uaaf6\\uabe3-\\uabea\\uabec-\\uabed\\ufb1e\\ufe00-\\ufe0f' +
  '\\ufe20-\\ufe2f\\u{101fd}\\u{102e0}\\u{10376}-\\u{1037a}\\u{10a01}-\\u{10a03}\\u{10a05}-\\u{10a06}' +
  '\\u{10a0c}-\\u{10a0f}\\u{10a38}-\\u{10a3a}\\u{10a3f}\\u{10ae5}-\\u{10ae6}\\u{11000}-\\u{11002}' +
  '\\u{11038}-\\u{11046}\\u{1107f}-\\u{11082}\\u{110b0}-\\u{110ba}\\u{11100}-\\u{11102}\\u{11127}-' +
  '\\u{11134}\\u{11173}\\u{11180}-\\u{11182}\\u{111b3}-\\u{111c0}\\u{111ca}-\\u{111cc}\\u{1122c}-' +
  '\\u{11237}\\u{1123e}\\u{112df}-\\u{112ea}\\u{11300}-\\u{11303}\\u{1133c}\\u{1133e}-\\u{11344}' +
  '\\u{11347}-\\u{11348}\\u{1134b}-\\u{1134d}\\u{11357}\\u{11362}-\\u{11363}\\u{11366}-\\u{1136c}' +
  '\\u{11370}-\\u{11374}\\u{11435}-\\u{11446}\\u{114b0}-\\u{114c3}\\u{115af}-\\u{115b5}\\u{115b8}-' +
  '\\u{115c0}\\u{115dc}-\\u{115dd}\\u{11630}-\\u{11640}\\u{116ab}-\\u{116b7}\\u{1171d}-\\u{1172b}' +
  '\\u{11c2f}-\\u{11c36}\\u{11c38}-\\u{11c3f}\\u{11c92}-\\u{11ca7}\\u{11ca9}-\\u{11cb6}\\u{16af0}-' +
  '\\u{16af4}\\u{16b30}-\\u{16b36}\\u{16f51}-\\u{16f7e}\\u{16f8f}-\\u{16f92}\\u{1bc9d}-\\u{1bc9e}' +
  '\\u{1d165}-\\u{1d169}\\u{1d16d}-\\u{1d172}\\u{1d17b}-\\u{1d182}\\u{1d185}-\\u{1d18b}\\u{1d1aa}-' +
  '\\u{1d1ad}\\u{1d242}-\\u{1d244}\\u{1da00}-\\u{1da36}\\u{1da3b}-\\u{1da6c}\\u{1da75}\\u{1da84}' +
  '\\u{1da9b}-\\u{1da9f}\\u{1daa1}-\\u{1daaf}\\u{1e000}-\\u{1e006}\\u{1e008}-\\u{1e018}\\u{1e01b}-' +
  '\\u{1e021}\\u{1e023}-\\u{1e024}\\u{1e026}-\\u{1e02a}\\u{1e8d0}-\\u{1e8d6}\\u{1e944}-\\u{1e94a}' +
  '\\u{e0100}-\\u{e01ef}'
