#include "core/error.h"
#include "models/bert.h"

namespace st {

std::unique_ptr<Model> make_model(const std::string& architecture, const Config& config, bool pooler,
                                  const std::string& prefix, Layout& layout) {
  if (architecture == "bert") return make_bert(config, pooler, prefix, layout);
  fail("ERR_NOT_IMPLEMENTED", "Architecture ", architecture, " is not built: expected bert");
}

}  // namespace st
