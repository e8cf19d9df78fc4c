//! Lines of the reference document's samples that cannot be met literally, each with its reason.

/// A line of the document with its blanks collapsed, what stands for it here, and why.
pub(crate) const EXCUSED: &[(&str, &str, &str)] = &[
    (
        "in use settings = {Tunnel, }",
        "in use settings ={Tunnel, }",
        "a slip: the same output has it without the blank too, as IOS prints it",
    ),
    ("inbound pcsp sas:", "inbound pcp sas:", "a slip of the pen for the payload compression protocol"),
    ("outbound pcsp sas:", "outbound pcp sas:", "the same"),
];
