#pragma once

#include <string>

#include "models/description.h"
#include "models/head.h"
#include "ops/activation_kind.h"

namespace st {

// The head of one of transformers' …ForSequenceClassification. The pooled state passes dropout, a dense layer, an
// activation, a layer norm where there is one, dropout again, and the last layer, which gives the logits.
struct ClassifierSpec {
  std::string class_name;       // of transformers
  std::string prefix;           // under which its checkpoints keep the transformer
  std::string pooling = "cls";  // "mean", or "last": the last token that is not `padding`
  int64_t padding = -1;
  double dropout_before = 0;  // of the dense layer
  std::string dense;          // name of the dense layer; empty: there is none, and no activation
  bool dense_bias = true;
  bool dense_outside = true;  // false: checkpoints keep it under the prefix of the transformer
  Activation activation = Activation::kTanh;
  std::string norm;  // name of the layer norm; empty: there is none
  double norm_epsilon = 1e-5;
  bool norm_bias = true;
  double dropout = 0;  // before the last layer
  std::string last;    // name of the last layer
  bool last_bias = true;
};

// The kinds of heads that there are, over config.json of an architecture. What follows the first token:
// dense and tanh in the transformer's pooler, dropout, classifier (BERT, GTE).
ClassifierSpec pooler_classifier(const Config& config, const std::string& class_name, const std::string& prefix);
// dropout, classifier.dense, tanh, dropout, classifier.out_proj (RoBERTa, XLM-R, CamemBERT; ELECTRA has gelu; MPNet has
// no classifier_dropout).
ClassifierSpec two_layer_classifier(const Config& config, const std::string& class_name, const std::string& prefix,
                                    Activation activation = Activation::kTanh, bool own_dropout = true);
// pre_classifier, relu, dropout, classifier (DistilBERT).
ClassifierSpec pre_classifier(const Config& config, const std::string& class_name, const std::string& prefix);
// head.dense, an activation, head.norm, dropout, classifier, over the first token or the mean (ModernBERT).
ClassifierSpec normed_classifier(const Config& config, const std::string& class_name, const std::string& prefix);
// score of the last token that is not padding, without a bias (Qwen).
ClassifierSpec last_token_classifier(const Config& config, const std::string& class_name, const std::string& prefix);

// The tensors of a head.
ClassifierNames names_of(const ClassifierSpec& spec);

// A module { type: 'SequenceClassification', numLabels }. It leaves logits [rows, numLabels] where other heads leave an
// embedding.
std::unique_ptr<Head> make_classification_head(const ClassifierSpec& spec, const Config& module,
                                               const std::string& prefix, int64_t token_width, Layout& layout);

}  // namespace st
