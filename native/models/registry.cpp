// One line for each architecture.
#include "models/architecture.h"
#include "models/bert.h"

namespace st {

const std::vector<Architecture>& architectures() {
  static const std::vector<Architecture> kAll = {
      {"bert", describe_bert, make_bert, classify_bert},
  };
  return kAll;
}

}  // namespace st
