//! The election port: greetings and notifications, and the texts of configurations that come with them.

#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use zookeeper::config::Ensemble;
use zookeeper::election::{Greeting, encode, frame, notification};

fuzz_target!(|data: &[u8]| {
    let mut buffer = BytesMut::from(data);
    if let Ok(Some(greeting)) = Greeting::decode(&mut buffer)
        && !greeting.addresses.is_empty()
    {
        let mut again = BytesMut::from(&greeting.encode()[..]);
        assert_eq!(Greeting::decode(&mut again), Ok(Some(greeting)));
    }
    let mut buffer = BytesMut::from(data);
    while let Ok(Some(said)) = frame(&mut buffer) {
        let Ok(heard) = notification(&said) else { continue };
        let configuration = heard.configuration.unwrap_or_default();
        if let Ok(text) = std::str::from_utf8(&configuration)
            && let Ok(ensemble) = text.parse::<Ensemble>()
        {
            assert_eq!(ensemble.to_string().parse(), Ok(ensemble));
        }
        let again = encode(&heard.notification, &configuration).slice(4..);
        let again = notification(&again).expect("we said it");
        assert_eq!((again.notification, again.configuration), (heard.notification, Some(configuration)));
    }
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(ensemble) = text.parse::<Ensemble>()
    {
        let _ = ensemble.configuration();
        assert_eq!(ensemble.to_string().parse(), Ok(ensemble));
    }
});
