import { corpusTests } from '../fuzz/corpus.js'

corpusTests('folder', 'checkpoint', 'boundary', 'index')
