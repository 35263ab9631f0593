// Branches and loops in programs, and their registration.
#include "core/flow.h"

#include <stdexcept>

#include "core/methods.h"

namespace linnet {

int Program::add_flow(const Flow& flow) {
  AlignedBytes copy = allocate_aligned(sizeof(Flow));
  *static_cast<Flow*>(copy.get()) = flow;
  steps_.push_back({nullptr, copy.get(), 1, Kernel::count, 1});
  params_.push_back(std::move(copy));
  return size() - 1;
}

Flow& Program::flow(int step) {
  return *static_cast<Flow*>(steps_[static_cast<size_t>(step)].params);
}

void Program::add_host() { hosts_.push_back(add_flow({Flow::host, 0, nullptr, nullptr, nullptr})); }

void Program::begin_if(const uint8_t* condition) {
  const int test = add_flow({Flow::test, 0, nullptr, nullptr, condition});
  blocks_.push_back({-1, nullptr, {test}});
}

void Program::begin_loop(int64_t* number, const int64_t* limit) {
  const int head = add_flow({Flow::test, 0, number, limit, nullptr});
  blocks_.push_back({head, number, {head}});
}

Program::Block& Program::innermost(bool loops) {
  if (blocks_.empty() || (blocks_.back().head >= 0) != loops) {
    throw std::invalid_argument("no such block is open");
  }
  return blocks_.back();
}

void Program::begin_else() {
  Block& block = innermost(false);
  const int over = add_flow({Flow::jump, 0, nullptr, nullptr, nullptr});
  land(block);
  block.exits = {over};
}

void Program::leave_unless(const uint8_t* condition) {
  innermost(true).exits.push_back(add_flow({Flow::test, 0, nullptr, nullptr, condition}));
}

void Program::end_block() {
  if (blocks_.empty()) throw std::invalid_argument("no block is open");
  const Block& block = blocks_.back();
  if (block.head >= 0) {
    add_flow({Flow::again, block.head, block.number, nullptr, nullptr});
  } else {
    // A step of its own, so that whoever records a program's calls sees this one.
    add_flow({Flow::jump, size() + 1, nullptr, nullptr, nullptr});
  }
  land(block);
  blocks_.pop_back();
}

void Program::land(const Block& block) {
  for (const int exit : block.exits) flow(exit).target = size();
}

void bind_flow(Methods& program) {
  program.def(
             "host", +[](Program& p) { p.add_host(); })
      .def(
          "begin_if",
          +[](Program& p, uintptr_t condition) { p.begin_if(at<const uint8_t>(condition)); })
      .def(
          "begin_else", +[](Program& p) { p.begin_else(); })
      .def(
          "join", +[](Program& p) { return static_cast<int64_t>(p.join()); }, {},
          "Let the last step go on with pieces of what the one before makes; 0 where it cannot.")
      .def("begin_loop",
           +[](Program& p, uintptr_t number, uintptr_t limit) {
             p.begin_loop(at<int64_t>(number), at<const int64_t>(limit));
           },
           {"number", "limit"})
      .def(
          "leave_unless",
          +[](Program& p, uintptr_t condition) { p.leave_unless(at<const uint8_t>(condition)); })
      .def("end_block", +[](Program& p) { p.end_block(); });
}

}  // namespace linnet
