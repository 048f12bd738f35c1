// One line for each architecture.
#include "models/architecture.h"
#include "models/bert.h"
#include "models/deberta_v2.h"
#include "models/distilbert.h"
#include "models/electra.h"
#include "models/gemma3.h"
#include "models/gte.h"
#include "models/modernbert.h"
#include "models/mpnet.h"
#include "models/nomic_bert.h"
#include "models/qwen.h"
#include "models/roberta.h"
#include "models/static_embedding.h"
#include "models/t5.h"
#include "models/t5_decoder.h"
#include "models/word_weights.h"

namespace st {

const std::vector<Architecture>& architectures() {
  static const std::vector<Architecture> kAll = {
      {"bert", describe_bert, make_bert, classify_bert},
      {"roberta", describe_roberta, make_roberta, classify_roberta},
      {"xlm-roberta", describe_xlm_roberta, make_xlm_roberta, classify_xlm_roberta},
      {"camembert", describe_camembert, make_xlm_roberta, classify_camembert},
      {"mpnet", describe_mpnet, make_mpnet, classify_mpnet},
      {"distilbert", describe_distilbert, make_distilbert, classify_distilbert, {}, initial_distilbert},
      {"electra", describe_electra, make_electra, classify_electra},
      {"nomic_bert", describe_nomic_bert, make_nomic_bert, nullptr, nomic_bert_classes()},
      {"gte", describe_gte, make_gte, classify_gte, gte_classes()},
      {"new", describe_gte, make_gte, classify_gte, gte_classes()},
      {"modernbert", describe_modernbert, make_modernbert, classify_modernbert, {}, initial_modernbert},
      {"qwen2", describe_qwen2, make_qwen2, classify_qwen2},
      {"qwen3", describe_qwen3, make_qwen3, classify_qwen3},
      {"gemma3_text", describe_gemma3, make_gemma3, classify_gemma3, {}, initial_gemma3},
      {"t5", describe_t5, make_t5, nullptr, {}, initial_t5, make_t5_decoder},
      {"mt5", describe_mt5, make_mt5, nullptr, {}, initial_mt5, make_mt5_decoder},
      {"deberta-v2", describe_deberta_v2, make_deberta_v2, classify_deberta_v2},
      {"static_embedding", describe_static_embedding, make_static_embedding, nullptr, {}, initial_static_embedding},
      {kWordWeights, describe_word_weights, make_word_weights, nullptr, {}, initial_word_weights},
  };
  return kAll;
}

}  // namespace st
